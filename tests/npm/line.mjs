// A line to a server that can be cut: it passes bytes on, and `cut` ends all connections at once.
import { connect, createServer } from 'node:net';

export async function openLine(server) {
  const open = new Set();
  const gate = createServer((near) => {
    const far = connect(Number(server.port), server.hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise((resolve) => gate.listen(0, '127.0.0.1', resolve));
  const cut = () => open.forEach((each) => each.resetAndDestroy());
  return { url: `http://127.0.0.1:${gate.address().port}`, cut };
}
