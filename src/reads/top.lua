-- Reads on behind a member of a sorted set, in descending order of score, and of member where scores are equal; and back
-- from there. Writes nothing.
-- KEYS[1] sorted set. ARGV[1] score   [2] member   [3] how many to read on   [4] how many to read back
-- Replies { how many stand before what is read on, { member, score, ... } of these, the same of those read back, best first,
-- how many there are in all }.
--
-- The member need not be there any more, or not with this score: then where it would stand is looked for among those
-- that have the score, by halves. So it costs log N steps of log N however many have it.

local score, member = ARGV[1], ARGV[2]

local function below(a, b) -- byte by byte, as Redis sorts: Lua's own < goes by the server's locale
  for i = 1, math.min(#a, #b) do
    local one, other = a:byte(i), b:byte(i)
    if one ~= other then return one < other end
  end
  return #a < #b
end

local function first_behind()
  local stands = redis.call('ZSCORE', KEYS[1], member)
  if stands and tonumber(stands) == tonumber(score) then return redis.call('ZREVRANK', KEYS[1], member) + 1 end
  local from = redis.call('ZCOUNT', KEYS[1], '(' .. score, '+inf')
  local to = from + redis.call('ZCOUNT', KEYS[1], score, score)
  while from < to do -- those before `from` stand before the member, those from `to` on behind it
    local middle = math.floor((from + to) / 2)
    if below(redis.call('ZREVRANGE', KEYS[1], middle, middle)[1], member) then to = middle else from = middle + 1 end
  end
  return from
end

local function range(from, to) -- without `to`
  return to <= from and {} or redis.call('ZREVRANGE', KEYS[1], from, to - 1, 'WITHSCORES')
end

local before = first_behind()
return {
  before,
  range(before, before + ARGV[3]),
  range(math.max(0, before - ARGV[4]), before),
  redis.call('ZCARD', KEYS[1]),
}
