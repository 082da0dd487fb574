// Shows entries as they are written, and writes them. Text only ever goes in as text.

const list = document.getElementById("entries");
const form = document.getElementById("form");
const problem = document.getElementById("problem");
const state = document.getElementById("state");
let last = 0;

function show(entry) {
  if (entry.id <= last) return;
  last = entry.id;
  const item = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = entry.name;
  item.append(name, entry.text);
  list.prepend(item);
}

function listen() {
  const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/api/live`);
  socket.onopen = () => { socket.send(last); state.textContent = "Connected."; };
  socket.onmessage = (message) => show(JSON.parse(message.data));
  // A new version of the application ends the connections of the one before.
  socket.onclose = () => { state.textContent = "Not connected."; setTimeout(listen, 500); };
}

form.onsubmit = async (event) => {
  event.preventDefault();
  const answer = await fetch("/api/entries", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(Object.fromEntries(new FormData(form))),
  });
  problem.textContent = "";
  if (answer.ok) form.elements.text.value = "";
  else problem.textContent = (await answer.json()).detail;
};

fetch("/api/me").then((answer) => answer.json()).then((me) => {
  document.getElementById("me").textContent = me.address;
});
listen();
