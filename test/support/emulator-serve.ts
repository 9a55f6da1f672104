/** The emulator of Redis as a process of its own: `node emulator-serve.ts` prints its URL. */
import { localEmulator } from './emulator.ts'

const { url } = await localEmulator()
process.stdout.write(url)
