import { existsSync } from 'node:fs'

/** Debian's, as far as installed. The shell, which has no window, takes half of the processor time. */
export const chromiumPath = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find(existsSync)
