"""The raw zone: every trade as it arrived, in compressed CSV objects on any S3, for as long as anybody may ask."""
