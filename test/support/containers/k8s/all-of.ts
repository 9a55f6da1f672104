/** Waits for all to settle, so that none starts a container after a failure of another has removed them. */
export async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}
