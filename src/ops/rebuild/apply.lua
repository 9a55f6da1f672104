-- Adds a batch of the archive's records to the shadow of a partition, once.
-- KEYS[1] progress of the rebuild, then hashes, referred to by number
-- ARGV[1] id of the run   [2] field of the chain   [3] position after this batch   [4] position of the batch before, or ''
-- ARGV[5] a JSON object: { hashes, expiries }, as in commit.lua, and `texts`: [key number, field, text, ...] to set
-- Replies 'added'; 'known' if the chain was at that position or further; 'gone' if another run has begun, or if the batch before
-- is not there: a failover has lost it.

-- include ../../stages/runner/effects.lua

if call('HGET', KEYS[1], 'run') ~= ARGV[1] then return 'gone' end
local position = call('HGET', KEYS[1], ARGV[2])
if position and position >= ARGV[3] then return 'known' end
if (position or '') ~= ARGV[4] then return 'gone' end
local plan = cjson.decode(ARGV[5])
local sums, failed = check_sums(plan.hashes)
if failed then return failed end

call('HSET', KEYS[1], ARGV[2], ARGV[3])
write_sums(plan.hashes, sums, false)
local texts = KEYS[plan.texts[1] or 1]
for i = 2, #plan.texts, 2 do call('HSET', texts, plan.texts[i], plan.texts[i + 1]) end
set_expiries(plan.expiries)
return 'added'
