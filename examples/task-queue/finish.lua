-- Marks a task as done, once: not if it has been taken from this worker, who was thought dead.
local running, done = KEYS[1], KEYS[2]
local worker, id, result = ARGV[1], ARGV[2], ARGV[3]

if redis.call('HGET', running, worker) ~= id then return 0 end
redis.call('HDEL', running, worker)
redis.call('HSET', 'tasks:task:' .. id, 'state', 'done', 'result', result)
redis.call('RPUSH', done, id)
return 1
