// Asks this server for a few things and shows what it answered. Text only ever goes in as text.

const SHOWN = [
  "content-type", "content-encoding", "content-length", "content-range",
  "etag", "last-modified", "vary", "accept-ranges",
];

const live = document.getElementById("live");

function show(request, response, note) {
  const article = document.createElement("article");
  const title = document.createElement("h3");
  const status = document.createElement("b");
  status.textContent = `${response.status} ${response.statusText}`;
  title.append(status, request);
  const list = document.createElement("dl");
  const add = (name, value) => {
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = value;
    list.append(dt, dd);
  };
  for (const name of SHOWN) {
    const value = response.headers.get(name);
    if (value) add(name, value);
  }
  if (note) add("body", note);
  article.append(title, list);
  live.append(article);
}

const fresh = { cache: "no-store" };

try {
  const page = await fetch("index.html", { ...fresh, method: "HEAD" });
  live.replaceChildren();
  show("HEAD /index.html", page);

  const part = await fetch("facts.json", { ...fresh, headers: { range: "bytes=4-22" } });
  show("GET /facts.json, bytes 4 to 22", part, await part.text());

  const whole = await fetch("facts.json", fresh);
  show("GET /facts.json", whole, (await whole.text()).split("\n")[1].trim() + " ...");

  // Each coding has a tag of its own, so this is the tag of the form that just came.
  const again = await fetch("facts.json", {
    ...fresh,
    headers: { "if-none-match": whole.headers.get("etag") ?? "" },
  });
  show("GET /facts.json, unless it is the one I have", again, "none: nothing is sent twice");
} catch (error) {
  live.textContent = `The server did not answer: ${error.message}`;
}
