"""The embedded stack: real Kafka, MinIO, PostgreSQL and Airflow, and the project's own services, as child processes."""
