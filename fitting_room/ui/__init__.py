"""The page's parts. Only here is streamlit imported."""
