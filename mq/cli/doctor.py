"""stub"""
import click
doctor_command = click.Command("doctor")
