// Draws the stations; longitude and latitude are x and y.

const answer = await fetch("/data/stations.geojson");
const { features } = await answer.json();
const map = document.getElementById("map");
for (const { geometry, properties } of features) {
  const [east, north] = geometry.coordinates;
  const circle = document.createElementNS(map.namespaceURI, "circle");
  circle.setAttribute("cx", (east + 180) * 2);
  circle.setAttribute("cy", (90 - north) * 2);
  circle.setAttribute("r", 6);
  const title = document.createElementNS(map.namespaceURI, "title");
  title.textContent = properties.name;
  circle.append(title);
  map.append(circle);
}
document.getElementById("said").textContent = `${features.length} stations`;
