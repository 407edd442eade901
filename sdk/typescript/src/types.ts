/** What goes over the wire. Made from docs/openapi.json by scripts/types.mjs: `make gen`. */

/** A connected account of a platform. Its credentials are never returned. */
export interface Account {
  /** "acc_" and a ULID. */
  id: string
  platform: string
  displayName: string
  status: AccountStatus
  /** A self-hosted service, e.g. a PDS. */
  serviceUrl: string | null
  createdAt: string
}

/**
 * Whether posts can be sent from it.
 *
 * - `active`
 * - `invalid`: The platform refuses its credentials.
 */
export type AccountStatus = 'active' | 'invalid'

export interface ApiKey {
  /** "key_" and a ULID. */
  id: string
  name: string
  mode: ApiKeyMode
  scopes: string[]
  /** Its last four characters. */
  hint: string
  createdAt: string
  lastUsedAt: string | null
}

/**
 * Whether posts made with the key reach real platforms.
 *
 * - `live`
 * - `test`: Posts go to the sandbox.
 */
export type ApiKeyMode = 'live' | 'test'

/** Images or videos of one post. */
export interface AttachmentLimits {
  maxCount: number
  /** Characters; 0: none is taken. */
  altTextMax: number
  limits: MediaLimits
  cited: Citation
}

/** Where numbers come from, and when they were last read there. */
export interface Citation {
  source: string
  /** A date, e.g. "2026-08-20". */
  checked: string
}

export interface CreateAccountRequest {
  platform: string
  displayName?: string | null
  credentials: Record<string, unknown>
  serviceUrl?: string | null
}

export interface CreateApiKeyRequest {
  name: string
  mode?: ApiKeyMode | null
  /** None: every scope. */
  scopes?: string[] | null
}

export interface CreateApiKeyResponse {
  apiKey: ApiKey
  /** Null where an Idempotency-Key shows the answer again. */
  key: string | null
}

export interface CreatePostRequest {
  text?: string | null
  /** 1 to 25. */
  targets: PostTargetInput[]
  media?: PostMediaInput[] | null
  scheduledAt?: string | null
}

export interface CreateUploadRequest {
  filename?: string | null
  /** At most 500 MB; the type found in the bytes may allow less. */
  sizeBytes: number
  /** Must agree with the bytes; not given: whatever they are. */
  kind?: MediaKind | null
  /** For people who cannot see it. */
  altText?: string | null
  /** Lower-case hex, of the whole file: other bytes are then refused. */
  sha256?: string | null
  /** A stretch of a file, to be put together with others (tus concatenation) before it is anything. */
  partial?: boolean | null
}

export interface CreateVariantRequest {
  /** e.g. "instagram.reel". */
  preset: string
}

export interface CreateWebhookEndpointRequest {
  /** https, on port 443, publicly reachable. */
  url: string
  /** At least one. */
  events: string[]
  description?: string | null
}

/** How much one field of a post may hold. A field that is not named has no limit of its own that is known. */
export interface FieldLimit {
  /** As problems name it, e.g. "options.title"; "[]" stands for each entry of a list. */
  field: string
  max: number
  /** What is counted: as a text's unit, or "hashtags", "mentions", "links" or "entries". */
  unit: string
  /** "image" or "video": in posts of these only. */
  of: string | null
  cited: Citation
}

export interface FieldProblem {
  /** As in the body, e.g. "targets[0].text". */
  field: string
  message: string
}

/** Whether a platform takes this media at all, computed from the probe. */
export interface Fit {
  ok: boolean
  /** The preset a post would use. */
  preset: string | null
  /** Stable code, when not ok. */
  reason: string | null
  detail: string | null
}

export interface GetUsageResponse {
  /** "2026-11" */
  period: string
  /** Successful targets; nothing else is metered. */
  postsPublished: number
  /** By plan. */
  postsIncluded: number
}

export interface ImportMediaRequest {
  /** A public https URL that opens without a login; it may be presigned. */
  url: string
  /** Must agree with the bytes; not given: whatever they are. */
  kind?: MediaKind | null
  /** For people who cannot see it. */
  altText?: string | null
}

export interface ListAccountsResponse {
  data: Account[]
  nextCursor: string | null
}

export interface ListApiKeysResponse {
  data: ApiKey[]
  nextCursor: string | null
}

export interface ListMediaResponse {
  data: Media[]
  nextCursor: string | null
}

export interface ListPlatformsResponse {
  data: Platform[]
}

export interface ListPostsResponse {
  data: Post[]
  nextCursor: string | null
}

export interface ListWebhookDeliveriesResponse {
  data: WebhookDelivery[]
  nextCursor: string | null
}

export interface ListWebhookEndpointsResponse {
  data: WebhookEndpoint[]
  nextCursor: string | null
}

/** A photo or video, uploaded once. */
export interface Media {
  /** "med_" and a ULID. */
  id: string
  kind: MediaKind
  status: MediaStatus
  filename: string
  altText: string | null
  /** By magic bytes, e.g. "image/jpeg". */
  contentType: string
  sizeBytes: number
  /** Lower-case hex, of the bytes as uploaded. */
  sha256: string | null
  /** Pixels, as displayed (orientation applied). */
  width: number | null
  height: number | null
  durationSeconds: number | null
  hasAudio: boolean | null
  /** The display rendition: oriented, no metadata. */
  url: string | null
  /** A video's cover frame. */
  posterUrl: string | null
  /** Base64. */
  thumbhash: string | null
  variants: Variant[]
  /** By platform id. */
  fit: Record<string, Fit>
  error: MediaError | null
  createdAt: string
  expiresAt: string
  /** Of a video: seconds from its start, whose frame its covers show; null: we choose. */
  thumbnailTime: number | null
}

/** Why a media item is rejected or failed. */
export interface MediaError {
  code: string
  message: string
  /** The scanner's name for it. */
  threat: string | null
}

/**
 * What the bytes are, whatever they were called.
 *
 * - `image`
 * - `video`
 */
export type MediaKind = 'image' | 'video'

/** What the bytes must obey. Absent: no limit of that sort is known. All bounds are inclusive. */
export interface MediaLimits {
  maxBytes: number
  contentTypes: string[]
  /** The shorter side. */
  minEdgePx: number | null
  /** The longer side. */
  maxEdgePx: number | null
  maxWidthPx: number | null
  /** Width over height. */
  minAspect: number | null
  maxAspect: number | null
  minDurationSeconds: number | null
  maxDurationSeconds: number | null
  /** Frames a second. */
  minFps: number | null
  maxFps: number | null
  /** Of an animation. */
  maxFrames: number | null
  /** Width × height × frames of an animation. */
  maxTotalPx: number | null
  /** Of a film; a smaller one is filled up to it. */
  minBytes: number | null
}

/**
 * Life of a media item. Deleted and expired items answer media_not_found.
 *
 * - `receiving`: Bytes are still coming in.
 * - `scanning`: Sealed, waiting for the verdict.
 * - `processing`: Clean; renditions are being made.
 * - `ready`: Every eager preset is settled.
 * - `rejected`: The bytes are at fault; `error` says how.
 * - `failed`: We are at fault; `error` says how.
 */
export type MediaStatus = 'receiving' | 'scanning' | 'processing' | 'ready' | 'rejected' | 'failed'

/** What a platform takes, and what media become for it. */
export interface Platform {
  /** E.g. "bluesky". */
  id: string
  name: string
  /** Other ids a request may say. */
  aliases: string[]
  /** Posts can be sent there; false: media are made ready for it only. */
  publishes: boolean
  text: TextLimits
  image: AttachmentLimits | null
  video: AttachmentLimits | null
  /** Among the defaults of a kind, the first that fits is used. */
  presets: Preset[]
  /** What other fields of a post may hold. */
  fields: FieldLimit[]
}

/** One text with media, sent to many accounts. */
export interface Post {
  /** "post_" and a ULID. */
  id: string
  status: PostStatus
  text: string
  media: PostMedia[]
  scheduledAt: string | null
  createdAt: string
  targets: PostTarget[]
}

export interface PostMedia {
  /** Null while the file is still to be fetched from `url`. */
  mediaId: string | null
  /** Overrides the media item's own. */
  altText: string | null
  /** Until it is fetched, or where it could not be. */
  url: string | null
}

/** Media of a new post: exactly one of mediaId, data and url. */
export interface PostMediaInput {
  mediaId?: string | null
  /** At most 1,000,000 bytes, an image; base64 in JSON. */
  data?: string | null
  kind?: MediaKind | null
  altText?: string | null
  /** A public https URL that opens without a login. The file is fetched once, after the answer, and stored as an upload; targets are `waiting_media` meanwhile, and fail with its code if it cannot be had. */
  url?: string | null
}

/**
 * Life of a post: what its targets add up to.
 *
 * - `scheduled`
 * - `publishing`
 * - `published`
 * - `partially_published`
 * - `failed`
 * - `canceled`
 */
export type PostStatus = 'scheduled' | 'publishing' | 'published' | 'partially_published' | 'failed' | 'canceled'

export interface PostTarget {
  platform: string
  accountId: string
  status: TargetStatus
  /** The preset that was sent, e.g. "bluesky.image". */
  variant: string | null
  platformPostId: string | null
  url: string | null
  publishedAt: string | null
  error: TargetError | null
  attempts: number
}

/** Where a new post goes, and what differs there: accountId, platform, or both. */
export interface PostTargetInput {
  /** May be empty when accountId is given; "twitter" means "x". */
  platform?: string | null
  /** May be empty when the workspace has one account there. */
  accountId?: string | null
  /** Instead of the post's. */
  text?: string | null
  /** Instead of the post's, when not empty. */
  media?: PostMediaInput[] | null
  /** The platform's own: boardId, link, title, … */
  options?: Record<string, unknown> | null
}

/** One variant a source can be made into. */
export interface Preset {
  /** As variants name it, e.g. "bluesky.image". */
  id: string
  /** "image" or "video": what it is made from. */
  of: string
  /** "image" or "video". */
  makes: string
  /** A post uses it unless told otherwise. */
  default: boolean
  /** Made before anybody asks. */
  eager: boolean
  /** Only for animations. */
  animated: boolean
  limits: MediaLimits
  cited: Citation
}

export interface RetryPostRequest {
  /** Unconfirmed targets too, although they may be live already. */
  confirmResend?: boolean | null
}

export interface TargetError {
  code: string
  message: string
}

/**
 * Life of one target of a post.
 *
 * - `scheduled`
 * - `waiting_media`
 * - `queued`
 * - `publishing`
 * - `published`
 * - `failed`
 * - `unconfirmed`: Sent, never confirmed, and nothing can tell: the caller decides.
 * - `canceled`
 */
export type TargetStatus = 'scheduled' | 'waiting_media' | 'queued' | 'publishing' | 'published' | 'failed' | 'unconfirmed' | 'canceled'

export interface TextLimits {
  maxLength: number
  /** "graphemes", "characters", "utf16" or "weighted". */
  unit: string
  /** UTF-8, where that counts too. */
  maxBytes: number | null
  cited: Citation
}

export interface UpdateMediaRequest {
  altText?: string | null
  /** Of a video: seconds from its start, at most 10800; the covers are made anew of the frame shown then, beyond its end of the last. */
  thumbnailTime?: number | null
}

export interface UpdatePostRequest {
  text?: string
  /** All of them, 1 to 25. */
  targets?: PostTargetInput[]
  /** All of them. */
  media?: PostMediaInput[]
  scheduledAt?: string | null
}

export interface UpdateWebhookEndpointRequest {
  url?: string | null
  /** Instead of those before, when not empty. */
  events?: string[] | null
  description?: string | null
  /** Events from the time it was disabled are not sent afterwards. */
  status?: WebhookEndpointStatus | null
}

/** One file on its way in, in pieces. */
export interface Upload {
  /** "upl_" and a ULID. */
  id: string
  status: UploadStatus
  /** Bytes that are safely here; the next piece begins with this one. */
  offset: number
  sizeBytes: number
  /** Pieces of a multiple of this many bytes cost the least. */
  chunkAlignment: number
  /** Once complete. */
  mediaId: string | null
  filename: string
  error: MediaError | null
  createdAt: string
  /** What is not complete by then is dropped. */
  expiresAt: string
  partial: boolean
}

/**
 * Life of an upload in pieces. Ended ones answer upload_not_found or upload_expired.
 *
 * - `receiving`: Bytes are still to come.
 * - `complete`: It has become the media item `mediaId`.
 * - `rejected`: Its bytes are not taken; `error` says why.
 */
export type UploadStatus = 'receiving' | 'complete' | 'rejected'

/** What CreatePostRequest would say. */
export interface ValidatePostRequest {
  text?: string | null
  /** 1 to 25. */
  targets: PostTargetInput[]
  media?: PostMediaInput[] | null
  scheduledAt?: string | null
}

export interface ValidatePostResponse {
  /** No errors. */
  valid: boolean
  errors: FieldProblem[]
}

/** What one preset became for one media item. */
export interface Variant {
  /** "<platform>.<name>", e.g. "bluesky.image"; "display" and "cover" belong to no platform. */
  preset: string
  platforms: string[]
  status: VariantStatus
  /** Null until it is decided. */
  how: VariantHow | null
  url: string | null
  contentType: string | null
  sizeBytes: number | null
  /** Pixels. */
  width: number | null
  height: number | null
  durationSeconds: number | null
  /** Stable code, for rejected and failed. */
  reason: string | null
  /** Percent, while a film is being made; null where nothing is known. */
  progress: number | null
}

/**
 * How a preset was satisfied, cheapest first.
 *
 * - `as_is`: The source's bytes already comply.
 * - `strip`: Metadata removed, pixels untouched.
 * - `remux`: Streams copied into a fresh container.
 * - `encode`: Decoded and encoded again.
 */
export type VariantHow = 'as_is' | 'strip' | 'remux' | 'encode'

/**
 * Life of one variant of a media item.
 *
 * - `pending`
 * - `processing`
 * - `ready`
 * - `rejected`: The source cannot become this; `reason` says why.
 * - `failed`
 */
export type VariantStatus = 'pending' | 'processing' | 'ready' | 'rejected' | 'failed'

/** One event on its way to one endpoint. */
export interface WebhookDelivery {
  /** "dlv_" and a ULID. */
  id: string
  endpointId: string
  /** The `webhook-id` of every attempt. */
  eventId: string
  eventType: string
  status: WebhookDeliveryStatus
  attempts: number
  nextAttemptAt: string | null
  lastAttemptAt: string | null
  /** HTTP status of the last attempt; null where there was no answer. */
  responseStatus: number | null
  /** Stable: answer_refused, redirected, timed_out, connection_failed, url_not_allowed, endpoint_disabled. */
  error: string | null
  createdAt: string
}

/**
 * Life of one event on its way to one endpoint.
 *
 * - `pending`: Not taken yet; it is tried again at `nextAttemptAt`.
 * - `delivered`: The endpoint answered 2xx.
 * - `failed`: Given up; it can be replayed.
 */
export type WebhookDeliveryStatus = 'pending' | 'delivered' | 'failed'

/** Where a workspace wants to be told of events. */
export interface WebhookEndpoint {
  /** "whk_" and a ULID. */
  id: string
  /** Its path may be what keeps it from strangers. */
  url: string
  description: string
  /** E.g. "media.ready". */
  events: string[]
  status: WebhookEndpointStatus
  /** "whsec_" and base64 of 32 bytes. Shown once, when it is made; null from then on. Null where an Idempotency-Key shows the answer again. */
  secret: string | null
  /** Until then the secret before also signs. */
  oldSecretExpiresAt: string | null
  /** No attempt has succeeded since. */
  failingSince: string | null
  createdAt: string
}

/**
 * Whether events are sent to it.
 *
 * - `active`
 * - `disabled`: By you, or because it answered 410.
 */
export type WebhookEndpointStatus = 'active' | 'disabled'

/** Any error (RFC 9457). `error.code` is stable and documented at /docs/errors/<code>. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  instance: string
  error: {
    /** Stable. */
    code: string
    message: string
    /** What to do about it. */
    remediation: string
    requestId: string
    /** Values behind the message. */
    details: Record<string, unknown>
  }
  /** Every field at fault. */
  errors?: {
    field: string
    message: string
  }[]
}
