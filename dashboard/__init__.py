"""The dashboard: Streamlit pages over the warehouse, where the minute path meets its reader."""
