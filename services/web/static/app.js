// Every page works without this. With it: prices and times in the reader's locale, the countdown, one submission a form, and pages
// that stay true: the server tells what becomes of what they show, and where it cannot be heard they are read again.
"use strict";
(() => {
    const all = (selector, root = document) => [...root.querySelectorAll(selector)];
    const its = (selector, root) => [...(root.matches?.(selector) ? [root] : []), ...all(selector, root)]; // with itself

    // --- the server's clock: the page says when it was made, and began to arrive just then; the stream says it again ---

    const page = document.documentElement.dataset;
    const arrived = performance.getEntriesByType("navigation")[0]?.responseStart ?? 0;
    let skew = Date.parse(page.now) - (Date.now() - (performance.now() - arrived));
    const now = () => Date.now() + skew;

    // --- the page's words ---

    const words = document.getElementById("announce").dataset;
    const say = (key, values) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
    const within = (label) => (document.documentElement.lang === "en" ? label.toLowerCase() : label); // a sentence

    // --- the reader's locale ---

    const times = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
    const days = new Intl.DateTimeFormat(undefined, { weekday: "short", year: "numeric", month: "short", day: "numeric", timeZone: "UTC" });

    // A show's time is by the clocks at its place.
    function localTime(time) {
        if (/^\d+-\d+-\d+$/.test(time.dateTime)) return days.format(new Date(time.dateTime)); // which is UTC's
        if (!time.dataset.zone) return times.format(new Date(time.dateTime));
        try {
            const shape = { weekday: "short", year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit" };
            return new Intl.DateTimeFormat(undefined, { ...shape, timeZone: time.dataset.zone }).format(new Date(time.dateTime));
        } catch {
            return time.textContent; // a zone that the browser has not heard of
        }
    }

    function localize(root) {
        for (const price of all("data[data-currency]", root)) {
            price.textContent = new Intl.NumberFormat(undefined, { style: "currency", currency: price.dataset.currency }).format(price.value);
        }
        for (const time of all("time[datetime]", root)) time.textContent = localTime(time);
    }

    // --- words for those who listen rather than look ---

    function announce(words) {
        document.getElementById("announce").textContent = words;
    }

    // --- reading again ---

    const READ_AGAIN = 4000, PATIENCE = 15000;
    const parts = () => all("[data-refresh]");
    const seen = new WeakMap(); // what the server said of a part, before we touched it
    let sooner = 0, reading = false, outdated = false; // outdated: something happened while it was being read
    const known = new Map(); // the version that an order is known to have: it may be told of a moment before it can be read

    // Without the forms' tokens, which are others each time, and what those without scripts see, which is text here.
    function essence(part) {
        const copy = part.cloneNode(true);
        for (const input of all("input[type=hidden], noscript", copy)) input.remove();
        return copy.outerHTML;
    }

    // What somebody is using stays under their hands, unless its state is another, or that of the sale: another phase.
    function replace(part, fresh) {
        const now = essence(fresh), another = ["state", "phase"].some((what) => fresh.dataset[what] !== part.dataset[what]);
        if (now === seen.get(part)) return;
        if (!another && (part.contains(document.activeElement) || part.querySelector("[aria-busy], :checked, [data-mounted]"))) return;
        localize(fresh);
        seen.set(fresh, now);
        part.replaceWith(fresh);
        begin(fresh);
        const badge = fresh.querySelector(".badge");
        if (another && badge) announce(badge.textContent);
    }

    const version = (element) => Number(element.dataset.version);

    function change(old, fresh) {
        if (version(fresh) <= version(old)) return;
        const focused = old.contains(document.activeElement);
        localize(fresh);
        old.replaceWith(fresh);
        if (focused) fresh.querySelector("a").focus();
    }

    function offer(words) {
        const box = document.getElementById("fresh");
        if (!box || location.search) return;
        box.querySelector("a").textContent = words;
        box.hidden = false;
    }

    // A list that is being read does not move: tickets change in their places, and a button offers those that are new.
    function update(list, fresh) {
        const there = new Map(all("[data-ticket]", list).map((ticket) => [ticket.dataset.ticket, ticket]));
        for (const ticket of all("[data-ticket]", fresh)) {
            const old = there.get(ticket.dataset.ticket);
            if (old) change(old, ticket);
            else offer(say("fresh"));
        }
    }

    async function refresh() {
        if (reading) outdated = true;
        if (reading || !parts().length || !navigator.onLine) return;
        reading = true;
        outdated = false;
        try {
            const answer = await fetch(page.path, { headers: { accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
            if (answer.status >= 500) throw new Error(answer.statusText);
            if (!answer.ok || answer.redirected) return;
            const read = new DOMParser().parseFromString(await answer.text(), "text/html");
            for (const part of parts()) {
                const fresh = read.getElementById(part.id);
                if (fresh) (part.dataset.refresh === "live" ? replace : update)(part, fresh);
            }
            if (all("[data-order]", read).some((order) => version(order) < known.get(order.dataset.order))) soon();
            if (!followed()) since = read.documentElement.dataset.since ?? since;
            follow();
        } catch {
            soon();
        } finally {
            reading = false;
            if (outdated) refresh();
        }
    }

    function soon() {
        clearTimeout(sooner);
        sooner = setTimeout(refresh, READ_AGAIN);
    }

    // --- being told: a stream of what becomes of what the page shows ---

    const GONE = ["sold", "withdrawn"], GONE_AFTER = 4000, SILENCE = 45000; // the server says something every 15 seconds
    let since = page.since; // up to where we know what happened
    let source = null, following = "", listed = 0, later = 0, refused = 0, spoke = 0; // spoke: when something was heard
    const open = () => source?.readyState === EventSource.OPEN;
    const followed = () => open() && performance.now() - spoke < SILENCE;

    function shown() {
        const list = (name, selector, id) => {
            const items = all(selector).map((element) => `${element.dataset[id]}.${version(element)}`);
            return items.length ? [`${name}=${items.join(",")}`] : [];
        };
        const fresh = document.getElementById("fresh") && !location.search, show = document.querySelector("[data-show]");
        return [...(show ? [`show=${show.dataset.show}`] : []), ...list("cards", "li[data-ticket]", "ticket"), ...list("sheet", "article[data-ticket]", "ticket"),
                ...list("orders", "[data-order]", "order"), ...(fresh ? ["listed=yes"] : [])];
    }

    // Which ones, whatever their versions.
    const ids = () => all("[data-ticket], [data-order], [data-show]").map(({ dataset }) => dataset.ticket ?? dataset.order ?? dataset.show).join();

    function element(html) {
        const template = document.createElement("template");
        template.innerHTML = html;
        return template.content.firstElementChild;
    }

    // What is sold leaves a list of what is on sale, but not from under somebody's hands.
    function leave(ticket) {
        if (!ticket.isConnected) return;
        if (ticket.matches(":hover, :focus-within")) setTimeout(leave, GONE_AFTER, ticket);
        else ticket.remove();
    }

    const heard = {
        tick(event) {
            since = event.lastEventId;
            skew = Number(event.data) - Date.now();
        },
        card(event) {
            const fresh = element(event.data);
            for (const old of all(`li[data-ticket="${fresh.dataset.ticket}"]`)) change(old, fresh);
            if (fresh.closest("[data-refresh=calm]") && GONE.includes(fresh.dataset.state)) setTimeout(leave, GONE_AFTER, fresh);
        },
        sheet(event) {
            const fresh = element(event.data), old = document.getElementById(fresh.id);
            if (old && version(fresh) >= version(old)) replace(old, fresh);
        },
        order(event) {
            const order = JSON.parse(event.data);
            known.set(order.id, order.version);
            if (all(`[data-order="${order.id}"]`).some((old) => version(old) < order.version)) refresh();
        },
        places(event) {
            for (const [area, left] of Object.entries(JSON.parse(event.data))) {
                for (const box of all(`.free[data-area="${area}"]`)) box.textContent = left;
            }
        },
        again: refresh,
        listed(event) {
            listed += Number(event.data);
            offer(listed === 1 ? say("freshOne") : say("freshSome", { n: listed }));
        },
    };

    function unfollow() {
        clearTimeout(later);
        source?.close();
        source = null;
    }

    // A page nobody looks at has no stream: browsers have six connections for all pages of a site.
    function follow() {
        const what = shown();
        if (document.hidden || !navigator.onLine || !what.length) return unfollow();
        if (source && source.readyState !== EventSource.CLOSED && following === ids()) return;
        unfollow();
        following = ids();
        source = new EventSource(`/live?${what.join("&")}&since=${since}`);
        for (const [name, hear] of Object.entries(heard)) {
            source.addEventListener(name, (event) => {
                spoke = performance.now();
                hear(event);
            });
        }
        source.onerror = () => {
            // Closed is for good: refused. Else the browser comes back by itself.
            if (source.readyState === EventSource.CLOSED) later = setTimeout(follow, (1 + Math.random()) * 1000 * 2 ** Math.min(refused++, 4));
        };
        source.onopen = () => {
            spoke = performance.now();
            refused = 0;
        };
    }

    // What a charge is waiting for is not told: an order's events are, and payments' own come between them. How far a show's making is
    // is not told either, nor its sales.
    const UNTOLD = ["paying", "making", "selling"], PENDING = ["reserved", "waiting", ...UNTOLD];
    setInterval(() => {
        if (open() && !followed()) {
            // The network is gone without a word, or the machine has slept.
            unfollow();
            follow();
        }
        const watched = followed() ? UNTOLD : PENDING;
        if (!document.hidden && parts().some((part) => watched.includes(part.dataset.state))) refresh();
    }, READ_AGAIN);

    // --- the countdown ---

    const clock = (s) => `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;

    function show(box, from, until) {
        const left = Math.max(0, Math.ceil((until - now()) / 1000));
        box.querySelector(".until").textContent = left > 0 ? say("leftToPay", { time: clock(left) }) : say("over");
        box.querySelector(".left").value = Math.max(0, (until - now()) / (until - from));
        box.classList.toggle("soon", left <= 60);
        if (left === 300) announce(say("fiveMinutes"));
        if (left === 60) announce(say("oneMinute"));
        return left;
    }

    function countDown(root) {
        for (const box of all(".countdown", root)) {
            const from = Date.parse(box.dataset.from), until = Date.parse(box.dataset.until);
            const tick = () => {
                if (!box.isConnected) return;
                if (show(box, from, until) > 0) setTimeout(tick, 1000 - ((now() - until) % 1000 + 1000) % 1000 + 5);
                else setTimeout(() => followed() || refresh(), 500);
            };
            tick();
        }
    }

    // --- until a show goes on sale ---

    function inWords(s) {
        const days = Math.floor(s / 86400), hours = Math.floor(s / 3600) % 24;
        if (days > 0) return say(days === 1 ? "inDay" : "inDays", { days, hours });
        return hours > 0 ? say("inHours", { hours, minutes: Math.floor(s / 60) % 60 }) : clock(s);
    }

    // Says how many seconds are left until a moment, each time that they are fewer; 0 in the end.
    function count(box, until, tell) {
        const tick = () => {
            if (!box.isConnected) return;
            const left = Math.max(0, Math.ceil((until - now()) / 1000));
            tell(left);
            if (left > 0) setTimeout(tick, 1000 - ((now() - until) % 1000 + 1000) % 1000 + 5);
        };
        tick();
    }

    function countToSale(root) {
        for (const box of all("[data-opens]", root)) {
            count(box, Date.parse(box.dataset.opens), (left) => {
                box.textContent = left > 0 ? say("onSaleIn", { time: inWords(left) }) : say("onSaleNow");
            });
        }
        for (const box of all(".turn-left", root)) {
            count(box, Date.parse(box.dataset.until), (left) => (box.textContent = say("left", { time: clock(left) })));
        }
    }

    // --- when a part of the page is another from some moment on ---

    const DAY = 86400000; // timers go wrong with more than 24 days

    // Everybody waits for the same moment: their browsers do not all ask in it.
    function awaitChange(root) {
        for (const part of its("[data-changes]", root)) {
            const changes = Date.parse(part.dataset.changes), wait = () => {
                if (!part.isConnected) return;
                const left = changes - now();
                if (left > 0) setTimeout(wait, Math.min(left + 5, DAY));
                else setTimeout(() => refresh().then(() => setTimeout(wait, READ_AGAIN)), 1000 * Math.random());
            };
            wait();
        }
    }

    // --- a queue: what it has come to is the same for everybody, and may be kept for a second on its way ---

    const SOONEST = 2000, LATEST = 30000, PART_OF_WAIT = 20, ON_THE_LIST = 8000;

    // The page is read again when the reader's turn has come, the sale opens or sells out, or a tenth of those before him is gone. On the waiting
    // list, when something was offered to his place or to one behind him.
    function isOther({ open, taken, place, before, sold, listed }, numbers) {
        if ((numbers.soldOut === true) !== (sold === "yes")) return true;
        if (listed) return numbers.offered >= place;
        const left = place - numbers.serving - 1;
        return numbers.open !== (open === "yes") || (numbers.left === 0) !== (taken === "yes") || (place > 0 && (left < 0 || left < before * 0.9));
    }

    // Whoever has long to wait asks seldom.
    function lookIn({ open, opensAt, wait, listed }) {
        if (listed) return ON_THE_LIST * (0.75 + Math.random() / 2);
        const ms = open === "yes" ? wait * 1000 : Date.parse(opensAt) - now();
        return Math.min(Math.max(ms / PART_OF_WAIT, SOONEST), LATEST) * (0.75 + Math.random() / 2);
    }

    async function look(part) {
        if (document.hidden || !navigator.onLine) return;
        const answer = await fetch(`/api/shows/${part.dataset.queue}/queue/serving`);
        if (answer.status === 404) return refresh();
        if (!answer.ok) return;
        const numbers = await answer.json(), before = part.querySelector(".before");
        if (before) before.textContent = Math.max(0, part.dataset.place - numbers.serving - 1);
        if (isOther(part.dataset, numbers)) await refresh();
    }

    function followQueue(root) {
        for (const part of its("[data-queue]", root)) {
            const again = () => setTimeout(() => part.isConnected && look(part).catch(() => {}).finally(again), lookIn(part.dataset));
            again();
        }
    }

    function begin(root) {
        countDown(root);
        countToSale(root);
        awaitChange(root);
        followQueue(root);
    }

    // --- what is held, on every other page ---

    for (const box of all(".held-left")) {
        const until = Date.parse(box.dataset.until);
        const tick = () => {
            const left = Math.ceil((until - now()) / 1000);
            if (left <= 0) {
                const held = box.closest(".held");
                box.closest("li").remove();
                if (!held.querySelector("li")) held.remove();
                return;
            }
            box.textContent = say("left", { time: clock(left) });
            setTimeout(tick, 1000 - ((now() - until) % 1000 + 1000) % 1000 + 5);
        };
        tick();
    }

    // --- passwords that can be looked at ---

    for (const field of all("input[type=password]")) {
        const button = document.createElement("button");
        const look = (shown) => {
            field.type = shown ? "text" : "password";
            button.textContent = say(shown ? "hide" : "reveal");
            button.setAttribute("aria-label", say("password", { verb: button.textContent, field: within(field.labels[0].textContent.trim()) }));
        };
        button.type = "button";
        button.className = "reveal";
        button.addEventListener("click", () => look(field.type === "password"));
        field.form.addEventListener("submit", () => look(false));
        look(false);
        field.after(button);
    }

    // --- files: what is too large is not sent ---

    for (const field of all("input[type=file][data-most]")) {
        field.addEventListener("change", () => {
            field.setCustomValidity(field.files[0]?.size > Number(field.dataset.most) ? field.dataset.tooLarge : "");
            field.reportValidity();
        });
    }

    // --- seats that are picked ---

    const pick = document.getElementById("pick");

    function told() {
        const boxes = all("[name=ticket]", pick), picked = boxes.filter((box) => box.checked), most = Number(pick.dataset.most);
        for (const box of boxes) box.disabled = !box.checked && picked.length >= most;
        const total = new Intl.NumberFormat(undefined, { style: "currency", currency: pick.dataset.currency }).format(picked.length * pick.dataset.price);
        const wanted = most === 1 ? say("pickOne") : say("pickSome", { n: most });
        pick.querySelector(".picked").textContent = picked.length ? say(picked.length === 1 ? "oneSeat" : "someSeats", { n: picked.length, total }) : wanted;
    }
    if (pick) {
        pick.addEventListener("change", told);
        told();
    }

    // --- forms: once ---

    function send(form) {
        const button = form.querySelector("button[type=submit]");
        form.dataset.sent = "yes";
        button.setAttribute("aria-busy", "true");
        if (!form.dataset.busy) return;
        button.dataset.words = button.innerHTML;
        button.textContent = form.dataset.busy;
        announce(form.dataset.busy);
    }

    function restore(form) {
        const button = form.querySelector("button[type=submit]");
        delete form.dataset.sent;
        button.removeAttribute("aria-busy");
        if (button.dataset.words) button.innerHTML = button.dataset.words;
    }

    document.addEventListener("submit", (event) => {
        if (event.defaultPrevented || event.target.method !== "post") return;
        if (event.target.dataset.sent) event.preventDefault();
        else send(event.target);
    });

    // --- back, away and offline ---

    addEventListener("pagehide", unfollow);
    addEventListener("pageshow", (event) => {
        if (!event.persisted) return;
        all("form[data-sent]").forEach(restore);
        refresh();
    });
    document.addEventListener("visibilitychange", () => {
        if (document.hidden) unfollow();
        else if (document.querySelector("#fresh, [data-queue]")) refresh();
        follow();
    });

    function connection() {
        document.getElementById("offline").hidden = navigator.onLine;
        if (navigator.onLine) refresh();
        follow();
    }
    addEventListener("online", connection);
    addEventListener("offline", connection);
    if (!navigator.onLine) connection();

    // A page that answered a form has its own address: loading it again is no second try.
    if (parts().length) history.replaceState(null, "", page.path);
    for (const part of parts()) seen.set(part, essence(part));
    localize(document);
    begin(document);
    follow();
})();
