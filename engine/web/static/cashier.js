"use strict";

// The page works without this: here it only counts down, and notices by itself that the order was paid.
const order = document.getElementById("order");

if (order !== null) {
  const again = () => {
    const page = new URL(location.href);
    page.searchParams.delete("refused");
    location.replace(page);
  };

  const countdown = document.getElementById("countdown");
  const until = performance.now() + 1000 * Number(order.dataset.expiresInS);
  const count = () => {
    const left = Math.max(0, Math.ceil((until - performance.now()) / 1000));
    countdown.textContent = `${String(Math.floor(left / 60)).padStart(2, "0")}:${String(left % 60).padStart(2, "0")}`;
    if (left > 0) {
      setTimeout(count, 1000);
    } else {
      again();
    }
  };
  if (countdown !== null) {
    count();
  }

  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const watch = async () => {
    for (;;) {
      try {
        const response = await fetch(order.dataset.statusUrl, { cache: "no-store" });
        if (response.ok && (await response.json()).status !== order.dataset.status) {
          again();
          return;
        }
        if (!response.ok) {
          await wait(3000);
        }
      } catch {
        await wait(3000); // away for a moment: the order is not
      }
    }
  };
  watch();
}
