import fc from 'fast-check'

/**
 * Ends the search for the smallest case of a property that failed, before the time limit of its test: the search blocks the
 * process, so that limit would not. What was found so far is reported. A property whose runs take as long has failed, too.
 */
fc.configureGlobal({ interruptAfterTimeLimit: 110_000, markInterruptAsFailure: true })
