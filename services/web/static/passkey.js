// Passkeys: a new one, or signing in by one. What the browser and the authenticator say goes into the form, which is sent then (schemas/openapi.yaml).
"use strict";
(() => {
    const KINDS = [-7, -8, -257]; // of signatures that auth can check: ES256, EdDSA, RS256

    const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
    const textOf = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

    async function make({ challenge, host, user, email, others }) {
        if (!AuthenticatorAttestationResponse.prototype.getAuthenticatorData) throw new Error("an old browser"); // before there is one that nobody knows
        const { response } = await navigator.credentials.create({ publicKey: {
            challenge: bytesOf(challenge),
            rp: { id: host, name: "Onsale" },
            user: { id: new TextEncoder().encode(user), name: email, displayName: email },
            pubKeyCredParams: KINDS.map((alg) => ({ type: "public-key", alg })),
            excludeCredentials: others.split(" ").filter(Boolean).map((id) => ({ type: "public-key", id: bytesOf(id) })),
            authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
        } });
        return { clientData: response.clientDataJSON, authenticatorData: response.getAuthenticatorData() };
    }

    async function sign({ challenge, host }) {
        const { rawId, response } = await navigator.credentials.get({ publicKey: { challenge: bytesOf(challenge), rpId: host, userVerification: "required" } });
        return { credential: rawId, clientData: response.clientDataJSON, authenticatorData: response.authenticatorData, signature: response.signature };
    }

    let asking = false;

    // Whoever comes back to the page asks anew.
    addEventListener("pageshow", (event) => {
        if (event.persisted) document.getElementById("passkey").elements.clientData.value = "";
    });

    // What went wrong, as the form has it.
    const words = (form, error) => (error.name === "InvalidStateError" ? form.dataset.known : form.dataset.failed);

    async function ask(form) {
        const button = form.querySelector("button[type=submit]"), error = document.getElementById("passkey-error");
        asking = true;
        button.setAttribute("aria-busy", "true");
        error.hidden = true;
        try {
            const said = await (form.dataset.user ? make : sign)(form.dataset);
            for (const [name, bytes] of Object.entries(said)) form.elements[name].value = textOf(bytes);
            setTimeout(() => form.requestSubmit()); // a form that is just being sent can't be sent
        } catch (reason) { // it was not he, or he did not want to; or this is no place for passkeys
            error.textContent = words(form, reason);
            error.hidden = false;
        } finally {
            asking = false;
            button.removeAttribute("aria-busy");
        }
    }

    // Before app.js, which takes what comes by for sent.
    document.addEventListener("submit", (event) => {
        const form = event.target;
        if (form.id !== "passkey" || form.elements.clientData.value) return;
        event.preventDefault();
        if (!asking) ask(form);
    }, true);
})();
