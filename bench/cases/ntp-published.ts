import { raceProtection } from './protection.js';

await raceProtection({ attacker: 'none', alphaTarget: 0.1, lambdaFisher: 100 });
