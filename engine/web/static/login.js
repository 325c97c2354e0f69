"use strict";

// The page works without this, by loading itself anew: here it only counts down, and notices sooner what has happened.
const login = document.getElementById("login");

if (login !== null) {
  const until = performance.now() + 1000 * Number(login.dataset.expiresInS);
  const countdown = document.getElementById("countdown");
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  const shown = () =>
    document.hidden
      ? new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true })).then(shown)
      : Promise.resolve();
  let isOver = false;
  const again = () => {
    if (!isOver) {
      isOver = true;
      location.reload();
    }
  };

  const count = async () => {
    for (;;) {
      const left = Math.max(0, Math.ceil((until - performance.now()) / 1000));
      countdown.textContent = `${String(Math.floor(left / 60)).padStart(2, "0")}:${String(left % 60).padStart(2, "0")}`;
      await wait(1000);
      if (left === 0) {
        again();
        return;
      }
    }
  };

  const watch = async () => {
    while (!isOver) {
      await wait(1500);
      await shown(); // nobody looks: nobody has to know
      if (isOver) {
        return;
      }
      try {
        const response = await fetch(login.dataset.statusUrl, { cache: "no-store" });
        if (response.status === 404 || (response.ok && (await response.json()).status !== login.dataset.status)) {
          again();
        }
      } catch {
        // away for a moment: the login is not
      }
    }
  };

  count();
  watch();
}
