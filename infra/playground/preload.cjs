// Loaded before the chat client, which by default listens on every interface, lets anyone chat without
// signing in, and outlives its parent process. This restricts it to loopback and ends it when stdin closes.
const net = require("node:net");

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  const [first, second] = given;
  if (typeof first === "object" && first !== null && "port" in first) {
    given[0] = { ...first, host: "127.0.0.1" };
  } else if (typeof second === "string") {
    given[1] = "127.0.0.1";
  } else if (typeof first === "number" || typeof first === "string") {
    given.splice(1, 0, "127.0.0.1");
  }
  return listen.apply(this, given);
};

process.stdin.on("end", () => process.exit()).on("error", () => process.exit()).resume();
