/** The emulator of Redis as a process of its own: `node emulator-serve.ts` prints its URL. Ends with its standard input. */
import { localEmulator } from './emulator.ts'

process.stdin.on('end', () => process.exit()).resume()
const { url } = await localEmulator()
process.stdout.write(url)
