// Zoom, heat map opacity, table sorting and paste, without the server.
(() => {
  "use strict";
  const MOST = 8;
  const view = { scale: 1, x: 0, y: 0 };

  function place(stage) {
    const reach = (stage.clientWidth * (view.scale - 1)) / 2;
    view.x = Math.max(-reach, Math.min(reach, view.x));
    view.y = Math.max(-reach, Math.min(reach, view.y));
    stage.toggleAttribute("data-zoomed", view.scale > 1);
    const sheet = stage.querySelector(".sa-sheet");
    if (sheet) sheet.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  }

  function zoom(stage, how, step = 1.5) {
    const before = view.scale;
    const wanted = { in: before * step, out: before / step, reset: 1 }[how];
    view.scale = Math.max(1, Math.min(MOST, wanted));
    view.x *= view.scale / before;
    view.y *= view.scale / before;
    if (view.scale === 1) view.x = view.y = 0;
    place(stage);
  }

  const shown = () => document.querySelector("#sa-view .sa-stage:not(.sa-empty)");

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-zoom]");
    if (button && shown()) zoom(shown(), button.dataset.zoom);
    const head = event.target.closest?.("[data-sortable] thead th");
    if (head) sort(head);
  });

  document.addEventListener("dblclick", (event) => {
    const stage = event.target.closest?.(".sa-stage:not(.sa-empty)");
    if (stage) zoom(stage, view.scale > 1 ? "reset" : "in", 2.5);
  });

  document.addEventListener("wheel", (event) => {
    const stage = event.target.closest?.(".sa-stage:not(.sa-empty)");
    if (!stage || !(event.ctrlKey || event.metaKey || view.scale > 1)) return;
    event.preventDefault();
    zoom(stage, event.deltaY < 0 ? "in" : "out", 1.15);
  }, { passive: false });

  document.addEventListener("pointermove", (event) => {
    const stage = event.target.closest?.(".sa-stage[data-zoomed]");
    if (!stage || !event.buttons) return;
    view.x += event.movementX;
    view.y += event.movementY;
    place(stage);
  });

  document.addEventListener("keydown", (event) => {
    if (!event.target.matches?.(".sa-stage:not(.sa-empty)")) return;
    const how = { "+": "in", "=": "in", "-": "out", "0": "reset" }[event.key];
    const move = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
    if (how) zoom(event.target, how);
    else if (move && view.scale > 1) { view.x += move[0]; view.y += move[1]; place(event.target); }
    else return;
    event.preventDefault();
  });

  document.addEventListener("input", (event) => {
    if (event.target.id !== "sa-opacity") return;
    document.documentElement.style.setProperty("--sa-opacity", event.target.value / 100);
    event.target.setAttribute("aria-valuetext", `${event.target.value} %`);
  });

  document.addEventListener("paste", (event) => {
    const files = event.clipboardData?.files;
    const input = document.querySelector("#sa-upload input[type=file]");
    if (!files?.length || !input || !input.offsetParent && !input.closest("#sa-upload").offsetParent) return;
    event.preventDefault();
    const given = new DataTransfer();
    given.items.add(files[0]);
    input.files = given.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });

  function sort(head) {
    const falling = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.children) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const column = head.cellIndex;
    const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows].sort((a, b) => key(a).localeCompare(key(b), "en", { numeric: true }));
    body.append(...(falling ? rows.reverse() : rows));
  }

  // Reset the zoom for a new image, and let screen readers announce changes.
  new MutationObserver(() => {
    for (const id of ["sa-finding", "sa-batch"]) document.getElementById(id)?.setAttribute("aria-live", "polite");
    const image = shown()?.querySelector(".sa-image")?.src;
    if (image === view.image) return shown() && place(shown());
    Object.assign(view, { image, scale: 1, x: 0, y: 0 });
  }).observe(document, { childList: true, subtree: true });
})();
