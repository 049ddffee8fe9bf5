import { raceProtection } from './protection.js';

// With the simulated attacker, its options as bench/pytorch/ntp.py has them.
await raceProtection({ attacker: 'simulated' });
