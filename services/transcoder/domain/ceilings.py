"""What we decode at all, whatever a platform takes. Our own choice: phones and cameras stay below, bombs do not."""

MAX_IMAGE_PX = 50_000_000  # of one picture
MAX_LOOP_PX = 400_000_000  # of all frames that are decoded for a film of an animation: 13 s of one processor
MAX_ANIMATION_S = 60.0  # of such a film
MAX_IMAGE_EDGE_PX = 16_384
MAX_ANIMATION_FRAMES = 2_000
MAX_ICC_BYTES = 4_000_000
MAX_VIDEO_PX = 4096 * 2304  # of one frame, as stored
MAX_VIDEO_EDGE_PX = 4_096
MAX_DURATION_S = 3 * 3600.0
MAX_FPS = 240.0
MAX_STREAMS = 16
MAX_PACKETS = 2_000_000  # of one file: a video's and its sound's
MAX_AUDIO_RATE_HZ = 192_000
MAX_AUDIO_CHANNELS = 8
