/**
 * The anonymous accounts that have the totals of erased users. An account is in all sums and on no leaderboard: it is no user
 * who could lead. Messages with such a user are refused.
 */
export const isAccount = (userId: string): boolean => userId.startsWith('erased:') && accountForm.test(userId)
export const accountName = (number: number): string => `erased:${number}`
const accountForm = /^erased:\d{1,6}$/
