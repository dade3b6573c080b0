// Start the emulator, and end it when standard input ends.
//
// The first line of standard input is a JSON object: `port` to listen on at 127.0.0.1, `baseUrl` that answers begin their
// addresses with, and `seed` (users, repositories, Apps and their installations, as the package's README has them). One
// line of JSON comes back when it listens: the private keys (PEM) of the Apps by their ids.
import { createInterface } from 'node:readline'

import { createEmulator } from 'emulate'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const { port, baseUrl, seed } = JSON.parse((await lines.next()).value)
const emulator = await createEmulator({ service: 'github', port, baseUrl, seed })
console.log(JSON.stringify(Object.fromEntries(emulator.generatedSecrets.map(({ id, value }) => [id, value]))))
while (!(await lines.next()).done);
await emulator.close()
