// npm sharp, as it is usually written: every platform by itself, the top quality first, then halving what is left.
// node sharp.mjs WAY SOURCE FOLDER TARGETS; WAY: "each", or "shared" for one decode and each distinct size once.
import { writeFile, readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import path from 'node:path';
import sharp from 'sharp';

const [way, source, folder, targets] = process.argv.slice(2);
const wanted = JSON.parse(targets);
let encodes = 0;

async function fitted(scaled, { limit_bytes, quality: [best, worst] }) {
  const encode = (quality) => {
    encodes += 1;
    return scaled().jpeg({ quality }).toBuffer();
  };
  let found = await encode(best);
  if (found.length <= limit_bytes) return found;
  found = null;
  for (let low = worst, high = best - 1; low <= high; ) {
    const quality = (low + high) >> 1;
    const tried = await encode(quality);
    if (tried.length <= limit_bytes) {
      found = tried;
      low = quality + 1;
    } else {
      high = quality - 1;
    }
  }
  return found;
}

const upright = (input) => sharp(input).rotate().flatten({ background: '#fff' });
const inside = ({ width, height }) => ({ width, height, fit: 'inside', withoutEnlargement: true });

async function each(input) {
  return Promise.all(wanted.map((target) => fitted(() => upright(input).resize(inside(target)), target)));
}

async function shared(input) {
  const largest = wanted.reduce((one, other) => (other.width > one.width ? other : one));
  const { data, info } = await upright(input).resize(inside(largest)).raw().toBuffer({ resolveWithObject: true });
  const raw = { width: info.width, height: info.height, channels: info.channels };
  const made = new Map();
  const one = async (target) => {
    const small = await sharp(data, { raw }).resize(inside(target)).raw().toBuffer({ resolveWithObject: true });
    const { width, height, channels } = small.info;
    return fitted(() => sharp(small.data, { raw: { width, height, channels } }), target);
  };
  for (const target of wanted) {
    const key = JSON.stringify({ ...target, name: '' });
    if (!made.has(key)) made.set(key, one(target));
  }
  return Promise.all(wanted.map((target) => made.get(JSON.stringify({ ...target, name: '' }))));
}

async function work() {
  const results = await { each, shared }[way](await readFile(source));
  await Promise.all(results.map((data, n) => writeFile(path.join(folder, `${wanted[n].name}.jpg`), data)));
}

await work(); // once unmeasured, for compilers and pools
encodes = 0;
const cpu = process.cpuUsage();
const began = performance.now();
await work();
const wall_s = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ wall_s, cpu_s: (user + system) / 1e6, encodes }));
