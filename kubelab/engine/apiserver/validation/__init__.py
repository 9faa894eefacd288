"""The rules of the API: each function takes data and a field path and answers with what is wrong."""
