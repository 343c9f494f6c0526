document.querySelector("#app").textContent = `You are at ${location.pathname}`;
