@rem Shells of POSIX know exec, with which the npm scripts begin so that signals reach Node. For cmd.exe this is the same.
@%*
