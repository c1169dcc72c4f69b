"""What is kept of people and what is shown of them: retention, forgetting, blurring."""
