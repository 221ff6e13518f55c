-- Puts the tasks of workers whose heart has stopped back to where they were; returns their ids.
local waiting, running = KEYS[1], KEYS[2]

local recovered = {}
for _, worker in ipairs(redis.call('HKEYS', running)) do
  if redis.call('EXISTS', 'tasks:alive:' .. worker) == 0 then
    local id = redis.call('HGET', running, worker)
    redis.call('HDEL', running, worker)
    redis.call('HSET', 'tasks:task:' .. id, 'state', 'waiting')
    redis.call('ZADD', waiting, redis.call('HGET', 'tasks:task:' .. id, 'priority'), id)
    table.insert(recovered, id)
  end
end
return recovered
