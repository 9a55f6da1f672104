/** Returns whether a URL leads to AWS, not to an emulator or another S3. */
export const isOfAws = (url: string): boolean =>
  /\.(amazonaws\.com(\.cn)?|amazonwebservices\.com\.cn|aws)$/.test(new URL(url).hostname)
