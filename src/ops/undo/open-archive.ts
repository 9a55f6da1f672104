import type { App } from '../../app.ts'
import { OrdersError } from '../../errors.ts'
import type { ArchiveReader } from './archived.ts'

/** Opens the archive. @throws OrdersError ORD_UNDO where there is none */
export async function openArchiveReader(_app: App): Promise<ArchiveReader & AsyncDisposable> {
  throw new OrdersError('ORD_UNDO', 'There is no archive to read the orders from: set ARCHIVE_URL.')
}
