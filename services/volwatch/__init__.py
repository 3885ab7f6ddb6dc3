"""volwatch: prices in, honest volatility and explained alerts out.

The way of a price: ``producer`` → Kafka → ``consumer`` → ``rawzone`` → Airflow (``pipeline``) → ``warehouse`` →
dashboard.
The mathematics stands in ``analytics``, which knows no client, setting, clock or log.
"""

__version__ = "0.1.0"
