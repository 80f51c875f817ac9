// The camera of a show's door, where the browser can read QR codes; and the door's form answered in place, so that the camera goes on.
"use strict";
(() => {
    const find = (id) => document.getElementById(id);
    const form = find("let-in"), video = find("video"), scan = find("scan");
    const words = form.dataset;
    const gone = 1500;      // ms without the last code before the camera, after which it counts as new
    const patience = 20000; // ms for an answer
    let asking = false, last = "", lastAt = 0, scanned = false; // scanned: the answer is about a code that the camera saw

    function show(kind, heading, words) {
        const answer = find("answer"), texts = [["door-heading", heading], ["door-words", words]];
        answer.className = `door-answer ${kind}`;
        answer.replaceChildren(...texts.map(([name, text]) => {
            const p = document.createElement("p");
            p.className = name;
            p.textContent = text;
            return p;
        }));
    }

    const noAnswer = () => show("bad", words.noAnswer, words.scanAgain);

    // The page that comes back has the answer, and the key for the next code. Without an answer the key stays: the code may have let in.
    function take(status, text) {
        if (status === 429 || status >= 500) return noAnswer();
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
        show("none", words.checking, "");
        try {
            const body = new URLSearchParams(new FormData(form));
            const answer = await fetch(form.action, { method: "POST", body, signal: AbortSignal.timeout(patience) });
            take(answer.status, await answer.text());
        } catch {
            show("bad", words.noAnswer, words.offline);
        } finally {
            asking = false;
        }
    }

    form.addEventListener("submit", (event) => {
        event.preventDefault();
        event.stopImmediatePropagation(); // app.js would show it as busy until the next page
        scanned = false;
        send().then(() => form.elements.code.focus());
    }, true);

    // A code that stays before the camera is asked about once; when it has gone, its answer goes, too.
    async function look(detector) {
        const found = asking ? [] : (await detector.detect(video).catch(() => [])).map((code) => code.rawValue);
        if (asking || found.includes(last)) {
            lastAt = performance.now();
        } else if (found.length > 0) {
            last = form.elements.code.value = found[0];
            scanned = true;
            await send();
            lastAt = performance.now();
        } else if (last !== "" && performance.now() - lastAt > gone) {
            last = "";
            if (scanned) show("none", words.ready, words.scan);
        }
        setTimeout(look, 60, detector);
    }

    async function start() {
        try {
            video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
            await video.play();
        } catch {
            find("camera-words").textContent = words.noCamera;
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
