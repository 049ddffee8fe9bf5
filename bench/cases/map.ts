import { raceMasking } from './masking.js';

await raceMasking('transfer');
