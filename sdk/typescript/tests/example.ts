import { Letmepost } from '@letmepost/sdk'; import { readFileSync } from 'node:fs';
const lmp = new Letmepost({ apiKey: process.env.LMP_API_KEY });
const media = await lmp.media.upload({ file: readFileSync('./photo.jpg'), kind: 'image', altText: 'Receipt-themed landing page' });
const result = await lmp.posts.create({
  targets: [ { platform: 'bluesky', accountId: 'acc_bsky_xyz' }, { platform: 'x', accountId: 'acc_x_xyz' }, { platform: 'pinterest', accountId: 'acc_pin_xyz' } ],
  text: 'Same photo, three platforms, one upload.', media: [{ mediaId: media.id }] });
