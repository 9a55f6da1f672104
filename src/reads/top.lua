-- Reads the members of a sorted set after and before a position, in descending order of score, and of member where scores
-- are equal. Writes nothing.
-- KEYS[1] sorted set. ARGV[1] score   [2] member   [3] number of members after it   [4] number of members before it
-- Returns { rank of the first member after it, { member, score, ... } after it, the same before it, best first, size }.
--
-- The member may be gone, or have another score by now. Then a binary search among the members with this score finds its
-- position: log N steps of log N, however many have the score.

local score, member = ARGV[1], ARGV[2]

local function below(a, b) -- byte by byte, as Redis sorts: Lua's own < depends on the server's locale
  for i = 1, math.min(#a, #b) do
    local one, other = a:byte(i), b:byte(i)
    if one ~= other then return one < other end
  end
  return #a < #b
end

local function first_after()
  local current = redis.call('ZSCORE', KEYS[1], member)
  if current and tonumber(current) == tonumber(score) then return redis.call('ZREVRANK', KEYS[1], member) + 1 end
  local from = redis.call('ZCOUNT', KEYS[1], '(' .. score, '+inf')
  local to = from + redis.call('ZCOUNT', KEYS[1], score, score)
  while from < to do -- members before `from` come before the position, those from `to` on after it
    local middle = math.floor((from + to) / 2)
    if below(redis.call('ZREVRANGE', KEYS[1], middle, middle)[1], member) then to = middle else from = middle + 1 end
  end
  return from
end

local function range(from, to) -- `to` is excluded
  return to <= from and {} or redis.call('ZREVRANGE', KEYS[1], from, to - 1, 'WITHSCORES')
end

local before = first_after()
return {
  before,
  range(before, before + ARGV[3]),
  range(math.max(0, before - ARGV[4]), before),
  redis.call('ZCARD', KEYS[1]),
}
