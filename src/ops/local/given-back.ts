import { resolve } from 'node:path'

/*
 * When a message is given back, the emulator clears its receive count too, which its own table refuses. The message would
 * be gone until the next start. SQS keeps the count.
 */

/** Replaces that write by one of the other columns. */
const trigger = `
CREATE TRIGGER IF NOT EXISTS given_back BEFORE UPDATE ON sqs_messages WHEN NEW.approximate_receive_count IS NULL BEGIN
  UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL WHERE message_id = NEW.message_id;
  SELECT RAISE(IGNORE);
END`

/** Makes the local SQS keep the messages that are given back. @param folder its data folder, once it has started */
export function keepGivenBack(folder: string): void {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  using database = new DatabaseSync(resolve(folder, 'fauxqs.db'))
  database.exec(trigger)
}
