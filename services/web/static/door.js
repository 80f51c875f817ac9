// The camera of a show's door, where the browser can read QR codes; and the door's form answered in place, so that the camera goes on.
"use strict";
(() => {
    const find = (id) => document.getElementById(id);
    const form = find("let-in"), video = find("video"), scan = find("scan");
    const again = 3000; // ms in which the same code, still before the camera, is not sent again
    let asking = false, last = "", lastAt = 0;

    function show(heading, words) {
        const answer = find("answer"), texts = [["door-heading", heading], ["door-words", words]];
        answer.className = "door-answer bad";
        answer.replaceChildren(...texts.map(([name, text]) => {
            const p = document.createElement("p");
            p.className = name;
            p.textContent = text;
            return p;
        }));
    }

    // The page that comes back has the answer, and the key for the next code.
    function take(text) {
        const page = new DOMParser().parseFromString(text, "text/html"), answer = page.getElementById("answer");
        if (answer === null) return location.reload(); // not signed in any more
        find("answer").replaceWith(answer);
        form.elements.key.value = page.querySelector("#let-in input[name=key]").value;
        form.elements.code.value = "";
        navigator.vibrate?.(answer.classList.contains("good") ? 60 : [120, 60, 120]);
    }

    async function send() {
        if (asking) return;
        asking = true;
        try {
            const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
            take(await answer.text());
        } catch {
            show("No answer", "You are offline, or the server cannot be reached. Scan it again.");
        } finally {
            asking = false;
        }
    }

    form.addEventListener("submit", (event) => {
        event.preventDefault();
        event.stopImmediatePropagation(); // app.js would show it as busy until the next page
        send().then(() => form.elements.code.focus());
    }, true);

    async function look(detector) {
        const [found] = asking ? [] : await detector.detect(video).catch(() => []);
        const now = performance.now();
        if (found && (found.rawValue !== last || now - lastAt > again)) {
            last = found.rawValue;
            form.elements.code.value = last;
            await send();
            lastAt = performance.now();
        }
        setTimeout(look, 60, detector);
    }

    async function start() {
        try {
            video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
            await video.play();
        } catch {
            find("camera-words").textContent = "The camera can't be used. Allow it in the browser's settings, or type the code.";
            find("camera").hidden = false;
            return;
        }
        scan.hidden = true;
        find("camera").hidden = false;
        look(new BarcodeDetector({ formats: ["qr_code"] }));
    }

    async function offer() {
        if (!("BarcodeDetector" in window) || !navigator.mediaDevices) return;
        if ((await BarcodeDetector.getSupportedFormats()).includes("qr_code")) scan.hidden = false;
    }
    scan.addEventListener("click", start);
    offer();
})();
