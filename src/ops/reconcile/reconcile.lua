-- Corrects hashes of a partition by what they lack, and ranks the members again that they stand for: all of it or nothing.
-- KEYS[1] token of the last comparison   [2] what flips have kept   then keys, referred to by number
-- ARGV[1] the token of the comparison; or '' to revert a step   [2] the step, its field in KEYS[2]
-- ARGV[3] the token of the next step, or '' after the last one
-- ARGV[4] what is kept of the step, or '' for nothing   [5] seconds for which it, and a token, are kept
-- ARGV[6] a JSON object: { hashes, ranks, expiries }, as in commit.lua;
--   replaced   numbers of keys of another type, which are deleted first
--   odd        [[key number, field, ...]]: fields that hold no number, which are deleted first
--   emptied    numbers of hashes that are deleted if all their fields are 0 then
--
-- Replies 'done'; 'gone' if the token is another one: something else was compared, corrected or erased since, or the step is
-- reverted already; or if what was no hash or no number is one now: then it is no longer what was compared.

-- include ../../stages/runner/effects.lua
-- include ../../sums.lua

local plan = cjson.decode(ARGV[6])
local hashes, ranks = plan.hashes, plan.ranks
local is_reversal = ARGV[1] == ''
if is_reversal then
  if call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return 'gone' end
elseif call('GET', KEYS[1]) ~= ARGV[1] then
  return 'gone'
end

for _, number in ipairs(plan.replaced) do
  if call('TYPE', KEYS[number]).ok == 'hash' then return 'gone' end
end
for _, odd in ipairs(plan.odd) do
  for i = 2, #odd do
    local value = redis.pcall('HGET', KEYS[odd[1]], odd[i]) -- an error for a key that is replaced
    if type(value) == 'string' and is_integer(value) then return 'gone' end
  end
end

-- They hold nothing that can be kept. Without them the hashes only lack more, which the sums below add.
for _, number in ipairs(plan.replaced) do call('DEL', KEYS[number]) end
for _, odd in ipairs(plan.odd) do
  for i = 2, #odd do call('HDEL', KEYS[odd[1]], odd[i]) end
end

local sums, failed = check_sums(hashes)
failed = failed or check_boards(ranks) or check_ranked(ranks)
if failed then return failed end

if is_reversal then call('HDEL', KEYS[2], ARGV[2]) end
if ARGV[3] == '' then call('DEL', KEYS[1]) else call('SET', KEYS[1], ARGV[3], 'EX', ARGV[5]) end
if not is_reversal and ARGV[4] ~= '' then
  call('HSET', KEYS[2], ARGV[2], ARGV[4])
  call('EXPIRE', KEYS[2], ARGV[5])
end
write_sums(hashes, sums, #ranks > 0)
set_scores(ranks, (read_scores(ranks)))
for _, number in ipairs(plan.emptied) do
  local is_empty = true
  for _, value in ipairs(call('HVALS', KEYS[number])) do is_empty = is_empty and value == '0' end
  if is_empty then call('DEL', KEYS[number]) end
end
set_expiries(plan.expiries)
return 'done'
