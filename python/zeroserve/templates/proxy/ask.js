// Asks the application, and says what it said.

const said = document.getElementById("said");
const answer = await fetch("/api/time");
said.textContent = answer.ok
  ? `The application says: ${(await answer.json()).time}`
  : `The application does not answer (${answer.status}). Is it running?`;
