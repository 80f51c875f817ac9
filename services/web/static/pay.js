// Stripe's card form and its way to the buyer's bank, on the page of an order to be paid only. The card's number goes from Stripe's
// frame to Stripe; we get a token for it.
"use strict";
(() => {
    const find = (id) => document.getElementById(id);
    const unreachable = find("announce").dataset.stripe;
    let stripe, elements, asking = false;

    function fail(id, message) {
        const error = find(id);
        if (error === null) return;
        error.textContent = message;
        error.hidden = !message;
    }

    function start(form) {
        if (window.Stripe) stripe ??= Stripe(form.dataset.stripeKey);
        return stripe;
    }

    // The form may come later, when an order that was being paid is to be paid again.
    function mount() {
        const form = find("pay"), place = find("payment-element");
        if (!place || place.dataset.mounted) return;
        place.dataset.mounted = "yes";
        if (!start(form)) return fail("payment-error", unreachable);
        const dark = matchMedia("(prefers-color-scheme: dark)").matches;
        elements = stripe.elements({
            mode: "payment",
            amount: Number(form.dataset.amount),
            currency: form.dataset.currency.toLowerCase(),
            paymentMethodCreation: "manual",
            appearance: { theme: dark ? "night" : "stripe" },
        });
        place.replaceChildren();
        elements.create("payment").mount("#payment-element");
    }

    // What was wrong, or nothing.
    async function pay(form) {
        const checked = await elements.submit();
        if (checked.error) return checked.error.message;
        const params = { billing_details: { email: form.dataset.email } }; // by which Stripe tells a card tester
        let made = await stripe.createPaymentMethod({ elements, params });
        if (made.error?.code === "email_invalid") made = await stripe.createPaymentMethod({ elements });
        if (made.error) return made.error.message;
        form.elements.token.value = made.paymentMethod.id;
        setTimeout(() => form.requestSubmit()); // a form that is just being sent can't be sent
        return "";
    }

    async function confirm(form) {
        const answer = await stripe.handleNextAction({ clientSecret: form.dataset.secret });
        if (!answer.error) location.assign(form.action); // which shows how it ended
        return answer.error?.message ?? "";
    }

    async function ask(form, question, errorId) {
        if (asking) return;
        asking = true;
        const button = form.querySelector("button[type=submit]");
        button.setAttribute("aria-busy", "true");
        fail(errorId, "");
        try {
            fail(errorId, start(form) ? await question(form) : unreachable);
        } catch {
            fail(errorId, unreachable);
        } finally {
            asking = false;
            if (!form.dataset.sent) button.removeAttribute("aria-busy");
        }
    }

    // Before app.js, which takes what comes by for sent.
    document.addEventListener("submit", (event) => {
        const form = event.target;
        if (form.id === "pay" && !form.elements.token.value) {
            event.preventDefault();
            ask(form, pay, "payment-error");
        } else if (form.id === "confirm") {
            event.preventDefault();
            ask(form, confirm, "confirm-error");
        }
    }, true);
    new MutationObserver(mount).observe(find("main"), { childList: true, subtree: true });
    mount();
})();
