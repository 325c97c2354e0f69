"use strict";

// Asks the person's device for what the page is about, sends its answer, and shows the page again with what came of it.
const box = document.getElementById("passkey");

if (box !== null) {
  const button = document.getElementById("use");
  const alert = document.getElementById("said");
  const say = (text) => {
    alert.textContent = text;
    alert.hidden = false;
  };

  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const named = (known) => known.map((one) => ({ ...one, id: bytes(one.id) }));

  const create = async (options) => {
    const made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        user: { ...options.user, id: bytes(options.user.id) },
        excludeCredentials: named(options.excludeCredentials),
      },
    });
    return { made, response: { attestationObject: text(made.response.attestationObject) } };
  };

  const get = async (options) => {
    const made = await navigator.credentials.get({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        allowCredentials: named(options.allowCredentials),
      },
    });
    const { authenticatorData, signature } = made.response;
    return { made, response: { authenticatorData: text(authenticatorData), signature: text(signature) } };
  };

  const again = (refused) => {
    const page = new URL(location.href);
    page.searchParams.delete("refused");
    if (refused !== undefined) {
      page.searchParams.set("refused", refused);
    }
    location.replace(page);
  };

  const ask = async () => {
    button.disabled = true;
    const options = JSON.parse(box.dataset.options);
    let answer;
    try {
      answer = await (box.dataset.kind === "create" ? create(options) : get(options));
    } catch (error) {
      say(error.name === "InvalidStateError" ? box.dataset.known : box.dataset.cancelled);
      button.disabled = false;
      return;
    }
    const { made, response } = answer;
    const credential = {
      id: made.id,
      type: made.type,
      response: { ...response, clientDataJSON: text(made.response.clientDataJSON) },
    };
    try {
      const done = await fetch(location.pathname, {
        method: "POST",
        cache: "no-store",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(credential),
      });
      again(done.ok ? undefined : (await done.json()).code);
    } catch {
      say(box.dataset.away);
      button.disabled = false;
    }
  };

  if (window.PublicKeyCredential === undefined) {
    say(box.dataset.unsupported);
  } else {
    button.disabled = false;
    button.addEventListener("click", ask);
  }
}
