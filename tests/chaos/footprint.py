"""Memory and descriptors of our processes while chaos lasts. Nobody may grow with time: whoever runs is never above a limit that is the same for two
minutes and for an hour, and when all is quiet again each has about what it had before anybody came."""
import contextlib
import os

from background import Background
from nemesis import OURS

PAUSE = 2  # seconds
MOST_MIB, MOST_DESCRIPTORS = 96, 400  # of one process at any moment: 24 people, and all that is torn and made again
MORE_MIB, MORE_DESCRIPTORS = 32, 40  # than before, when all is quiet: what is kept on purpose has been used then, up to its bounds


def footprint(pid):
    """(MiB that are resident, descriptors) of a process that lives."""
    with open(f"/proc/{pid}/status") as lines:
        resident = next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0)
    return resident, len(os.listdir(f"/proc/{pid}/fd"))


class Footprints(Background):
    def __init__(self, stack):
        super().__init__()
        self.stack, self.most = stack, {}
        self.before = self.look()

    def look(self):
        found = {}
        for name in OURS:
            with contextlib.suppress(OSError):  # it is being started
                found[name] = footprint(self.stack.pid(name) or "none")
        return found

    def go(self, _):
        while not self.stopping.wait(PAUSE):
            for name, (resident, descriptors) in self.look().items():
                before = self.most.get(name, (0, 0))
                self.most[name] = max(resident, before[0]), max(descriptors, before[1])

    def check(self):
        """When all is quiet."""
        for name, (resident, descriptors) in self.most.items():
            assert resident < MOST_MIB and descriptors < MOST_DESCRIPTORS, f"{name} had {resident:.0f} MiB and {descriptors} descriptors"
        after = self.look()
        for name, (resident, descriptors) in after.items():
            mib, few = self.before[name]
            assert resident < mib + MORE_MIB and descriptors < few + MORE_DESCRIPTORS, \
                f"{name} went from {mib:.0f} MiB and {few} descriptors to {resident:.0f} and {descriptors}"
        return ", ".join(f"{name} {self.before[name][0]:.0f} > {most[0]:.0f} > {after[name][0]:.0f} MiB and {self.before[name][1]} > {most[1]} > "
                         f"{after[name][1]} descriptors" for name, most in self.most.items())
