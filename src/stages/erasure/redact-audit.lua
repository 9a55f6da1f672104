-- Redacts entries of the audit log. A stream cannot change an entry, so all are written again, with their ids.
-- KEYS[1] the audit log
-- ARGV[1..] id of an entry, and its new `what`
-- Replies the number of entries that were redacted.

local redacted, changed = {}, 0
for i = 1, #ARGV, 2 do redacted[ARGV[i]] = ARGV[i + 1] end

local entries = redis.call('XRANGE', KEYS[1], '-', '+')
for _, entry in ipairs(entries) do
  local what = redacted[entry[1]]
  if what then
    changed = changed + 1
    for at = 1, #entry[2], 2 do
      if entry[2][at] == 'what' then entry[2][at + 1] = what end
    end
  end
end
if changed == 0 then return 0 end
redis.call('DEL', KEYS[1])
for _, entry in ipairs(entries) do redis.call('XADD', KEYS[1], entry[1], unpack(entry[2])) end
return changed
