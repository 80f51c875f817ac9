// Joining a queue that asks for work: looks for a text so that its hash begins with enough zero bits (schemas/openapi.yaml, joinQueue).
"use strict";
(() => {
    const TOGETHER = 500; // hashes that are asked for at a time

    const bytesOf = (digits) => Uint8Array.from(digits.match(/../g), (pair) => parseInt(pair, 16));

    function zeroBits(hash) {
        const bytes = new Uint8Array(hash), first = bytes.findIndex((byte) => byte !== 0);
        return first < 0 ? 8 * bytes.length : 8 * first + Math.clz32(bytes[first]) - 24;
    }

    // A number as text, for this reader in this round.
    async function prove({ challenge, seed, reader }) {
        const begin = [...bytesOf(seed), ...bytesOf(reader.replaceAll("-", ""))], encoder = new TextEncoder();
        for (let n = 0; ; n += TOGETHER) {
            await new Promise((then) => { setTimeout(then); }); // the page lives on; and it cannot send its form from within the event that sends it
            const texts = Array.from({ length: TOGETHER }, (_, i) => String(n + i));
            const hashes = await Promise.all(texts.map((text) => crypto.subtle.digest("SHA-256", Uint8Array.of(...begin, ...encoder.encode(text)))));
            const found = hashes.findIndex((hash) => zeroBits(hash) >= challenge);
            if (found >= 0) return texts[found];
        }
    }

    let working = false;

    // Before app.js, which takes what comes by for sent.
    document.addEventListener("submit", (event) => {
        const form = event.target;
        if (form.id !== "join" || form.elements.proof.value) return;
        event.preventDefault();
        if (working) return;
        working = true;
        const button = form.querySelector("button[type=submit]");
        button.setAttribute("aria-busy", "true");
        button.textContent = form.dataset.working;
        prove(form.dataset).then((proof) => {
            const now = document.getElementById("join"); // the page may have been read again meanwhile
            if (!now) return;
            now.elements.proof.value = proof;
            now.requestSubmit();
        }).finally(() => { working = false; });
    }, true);
})();
