// A single-page application without libraries: addresses are views, links change the view.

const views = {
  "/": {
    title: "Home",
    show: () => `<h1>Home</h1>
      <p class="lead">The server sends this page for every address that has no file.</p>
      <p><button type="button" id="count">Pressed 0 times</button></p>`,
    ready: () => {
      let pressed = 0;
      const button = document.getElementById("count");
      button.addEventListener("click", () => { button.textContent = `Pressed ${++pressed} times` });
    },
  },
  "/about": {
    title: "About",
    show: () => `<h1>About</h1>
      <p class="lead">Load this page anew: its address leads here, not to an error.</p>`,
  },
};

const missing = {
  title: "Not found",
  show: () => `<h1>Not found</h1><p class="lead">There is no view at this address.</p>`,
};

const main = document.getElementById("main");

function show() {
  const view = views[location.pathname] ?? missing;
  document.title = `${view.title} - Example`;
  main.innerHTML = view.show();
  view.ready?.();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a");
  const ours = link && link.origin === location.origin && !link.hash && !link.target;
  if (!ours || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  show();
  main.focus();
});
addEventListener("popstate", show);
show();
