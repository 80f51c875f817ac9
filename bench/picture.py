"""The minute as a picture: what has happened so far, second by second, and below how long purchases took."""
import collections

import harness

WIDTH, HEIGHT, LEFT, TOP, GAP = 900, 300, 70, 40, 60
BELOW = 140
COLOURS = {"came in": "#4338ca", "held": "#0f766e", "given up": "#b45309", "paid": "#15803d", "left": "#9f1239"}
STEPS = {("turn", "200"): ("came in", 3), ("back", "204"): ("given up", 3), ("pay", "201"): ("paid", 3)}


def count(answers, opens, seats):
    """By second: what each line has reached at its end (in seats), and the latencies of purchases."""
    by_second, took = collections.defaultdict(collections.Counter), collections.defaultdict(list)
    for step, us, latency, status, *more in answers:
        second = max(0, int(int(us) / 1e6 - opens))
        if step == "turn" and len(more) > 3 and not more[3]:
            continue
        if (step, status) in STEPS:
            name, seats_each = STEPS[step, status]
            by_second[second][name] += seats_each
        if step == "buy" and status == "201":
            by_second[second]["bought"] += 3
            took[second].append(int(latency) / 1000)
    sums, lines = collections.Counter(), {name: [0] for name in COLOURS}
    for second in range(max(by_second, default=0) + 1):
        sums.update(by_second[second])
        held = sums["bought"] - sums["given up"]
        for name in COLOURS:
            lines[name].append(held if name == "held" else seats - held if name == "left" else sums[name])
    lines["left"][0] = seats
    return lines, [harness.percentile(took.get(second, []), 0.99) for second in range(max(by_second, default=0) + 1)]


def nice(most):
    """A round number that is not below."""
    step = 10 ** (len(str(int(most))) - 1) / 2
    return step * -(-most // step)


class Axes:
    def __init__(self, top, height, most, seconds):
        self.top, self.height, self.most, self.seconds = top, height, nice(max(1, most)), max(1, seconds)

    def at(self, second, value):
        return f"{LEFT + second * (WIDTH - LEFT - 20) / self.seconds:.1f},{self.top + self.height * (1 - value / self.most):.1f}"

    def frame(self, unit):
        for part in range(5):
            value = self.most * part / 4
            _, y = self.at(0, value).split(",")
            yield f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y}" y2="{y}" stroke="#ddd"/>'
            yield f'<text x="{LEFT - 8}" y="{y}" text-anchor="end" dominant-baseline="middle">{value:,.0f}{unit}</text>'
        for second in range(0, self.seconds + 1, max(1, self.seconds // 10)):
            x, _ = self.at(second, 0).split(",")
            yield f'<text x="{x}" y="{self.top + self.height + 16}" text-anchor="middle">{second} s</text>'

    def line(self, values, colour):
        points = " ".join(self.at(second, value) for second, value in values)
        return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


def draw(answers, opens, seats):
    lines, slow = count(answers, opens, seats)
    seconds = len(slow)
    above = Axes(TOP, HEIGHT, max(max(values) for values in lines.values()), seconds)
    below = Axes(TOP + HEIGHT + GAP, BELOW, max([v for v in slow if v is not None], default=1), seconds)
    parts = [*above.frame(""), *(above.line(enumerate(values), COLOURS[name]) for name, values in lines.items())]
    for n, (name, colour) in enumerate(COLOURS.items()):
        parts.append(f'<text x="{LEFT + n * 120}" y="20" fill="{colour}" font-weight="bold">{name}</text>')
    parts += [*below.frame(" ms"), below.line([(n + 0.5, v) for n, v in enumerate(slow) if v is not None], "#1b1a20")]
    parts.append(f'<text x="{LEFT}" y="{below.top - 14}">p99 of purchases in each second; above: seats (came in: three a person), from the opening on</text>')
    height = below.top + BELOW + 30
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">'
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n")
