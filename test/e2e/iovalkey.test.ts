/** iovalkey, the fork of ioredis for Valkey, through the sidecar. */
import type { Redis as IoredisClient, RedisOptions } from 'ioredis';
import { Redis } from 'iovalkey';
import { describeIoredis } from './ioredis-suite.js';

// The fork has the same interface, but TypeScript compares its private members, too.
describeIoredis('iovalkey', Redis as unknown as new (options: RedisOptions) => IoredisClient);
