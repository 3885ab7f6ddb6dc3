"""The minute path and its maintenance: raw zone in, warehouse out. Airflow and the command line call it."""
